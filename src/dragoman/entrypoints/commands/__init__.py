"""The commands of `dragoman`, a file per noun. They import what they need when they run: `--help` stays fast."""
