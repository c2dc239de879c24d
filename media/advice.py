"""What a person can do about a refusal: one sentence for each code, shown below the reason."""

_AGAIN = "Nothing is wrong with your picture. Send it again; if it fails once more, we are already looking into it."

ADVICE = {
    "empty": "Perhaps it was not copied or downloaded to the end. Choose it again, or another one.",
    "too_large": "Save it smaller, or as a JPEG. A screenshot of it would do too.",
    "not_an_image": "Open it with a photo program and save it as a JPEG. Drawings (SVG) and documents (PDF) have to be too.",
    "unsupported_format": "On an iPhone: Settings, Camera, Formats, Most Compatible. A screenshot of it would do too.",
    "too_many_pixels": "Make it smaller with a photo program: 2000 pixels are plenty. A screenshot of it would do too.",
    "too_elongated": "Cut out the part that should be seen, and send that.",
    "damaged": "Perhaps it was not copied or downloaded to the end. Save it anew, or choose another one.",
    "too_costly": "Open it with a photo program and save it as a plain JPEG.",
    "invalid_crop": "Load the page again, and choose the picture and its square once more.",
    "crop_outside": "Choose the picture again and move the square, or let us take the middle.",
    "upload_lost": _AGAIN,
    "internal_error": _AGAIN,
    "gave_up": _AGAIN,
}
