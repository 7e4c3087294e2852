"""Parts of `mock_openai.py`: they know nothing of HTTP. Standard library only."""
