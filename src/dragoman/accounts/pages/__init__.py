"""The one page that people need before there is a web application: where a link leads."""
