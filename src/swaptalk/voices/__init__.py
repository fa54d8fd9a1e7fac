"""Text to speech by programs of this machine; nothing is sent anywhere."""
