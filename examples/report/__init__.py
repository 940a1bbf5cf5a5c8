"""What examples leave behind: files that are whole, and numbers in pairs."""
