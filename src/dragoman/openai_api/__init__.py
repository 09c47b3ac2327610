"""Chatbots as models of the OpenAI API, for everything that speaks it: SDKs, chat user interfaces, frameworks."""
