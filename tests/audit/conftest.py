"""The corpus is data: some of its files look like tests."""

collect_ignore = ["corpus", "projects"]
