"""Every model call passes here: time-out, retry, circuit breaker, usage record."""
