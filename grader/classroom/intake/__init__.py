"""Taking in: archives, layouts, exports, rosters and git repositories become one submission for each student."""
