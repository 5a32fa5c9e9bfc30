"""What each runtime calls an image that was imported under a short name."""
NAMES = {
    "alpha": ("localhost/alpha:latest", "alpha", "alpha:latest", "docker.io/library/alpha:latest"),
}
