"""Cleaners: what they measure, what they say, what a person says, and what is set aside."""
