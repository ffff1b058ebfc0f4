"""What the laboratory's fault programs share. None of it knows the product."""
