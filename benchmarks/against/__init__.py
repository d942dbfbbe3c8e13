"""Two builds by turns in one run: this tree as it stands, and an earlier commit that is checked out beside it.

Each build is driven through its command line alone, in processes of its own, with its own code and this environment, so
that files may have moved between the two. A figure is compared round by round: a machine whose neighbours come and go
is another one a minute later.
"""
