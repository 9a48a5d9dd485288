"""Whether what our programs say to AWS is what AWS documents: requests, permissions, error codes. See README.md."""
