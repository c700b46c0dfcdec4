"""PyTorch: program of torch.export -> Source."""
