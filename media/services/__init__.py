"""What can be done with an avatar: one file for each group of verbs; everybody imports them from here.

Each function owns its transactions. Files are read, written and decoded outside of them.
"""

from media.services.deleting import delete_avatar, delete_avatars_of
from media.services.processing import process_avatar, regenerate_thumbnails
from media.services.resuming import purge_refused_uploads, reprocess_avatar, resume_stuck_avatars
from media.services.uploading import upload_avatar

__all__ = [
    "delete_avatar",
    "delete_avatars_of",
    "process_avatar",
    "purge_refused_uploads",
    "regenerate_thumbnails",
    "reprocess_avatar",
    "resume_stuck_avatars",
    "upload_avatar",
]
