"""Photos out of links: dead, slow, lying and hostile ones, with an honest account of each."""
