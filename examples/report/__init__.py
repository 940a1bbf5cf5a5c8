"""What examples leave behind: files that are whole, and figures in one style."""
