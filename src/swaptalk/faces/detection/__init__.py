"""Finding faces: detector, landmarks, lips, recogniser, scenes, tracker."""
