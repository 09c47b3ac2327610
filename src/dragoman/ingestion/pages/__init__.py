"""Pages as pictures, with the place of what is cited from them."""
