"""Says at once that something has changed, by server-sent events: ``GET .../events`` of an order, an avatar, a report.

The way of a change, from a worker to a waiting client::

    worker commits -> watcher of each web process reads a version of everything watched in it (every 0.5 s, one query for
    each kind) -> the version differs from the one last sent -> queue of the stream -> its thread -> socket

An event names the object's version (``id:``), its status and whether anything is still to come; whoever gets it asks for
the object as always, so that a page and a program read the same rows by the same checks as ever. A version is a digest
of the rows, made by the database: every process, also one started a moment ago, says the same of the same rows, so a
client may come back to any of them with ``Last-Event-ID``. What lies between two looks is told as one change.

A stream holds a thread of gunicorn, which has more of them for that (`proj/servers/processes.py`), and no database
connection. It ends after 55 s at most and the client comes back by itself: so a session or token that was revoked, or a
permission that was taken away, ends it within that time.

What may fail, and what then:

- *Nobody watches*: the watcher sleeps and asks nothing.
- *A worker dies* with or without having committed: rows tell, streams notice nothing.
- *This process is killed*: its clients' connections break; they come back to another, or to the next one, with the id of
  what they have seen. Nothing is kept here that would be lost.
- *The database is away*: the watcher tries again at every look, and a restart costs a second. Instead of a heartbeat that
  would be a lie, a stream that nobody could look after for 10 s ends; its client is told an error when it comes back, and
  the page polls.
- *The watcher hangs* on a connection that is dead but not closed, or dies of something nobody thought of: its streams end in
  the same way, and the next one starts another watcher.
- *A fork*: the child starts with no streams and without a watcher; it starts its own.
- *The client goes away*: noticed at the next look (half a second), where the system tells (Linux), else at the heartbeat.
- *More clients than threads*: 503 with Retry-After; the page polls as if there were no streams, and tries again later.
- *One client with very many*: 429 in the same way, from the seventh in a process on; the others' places stay theirs.
- *This process is told to stop*: every stream ends at once, for the server waits for its threads (`proj.live.stopping`).
- *A proxy* buffers or compresses: headers forbid both. One that cuts idle connections sees a heartbeat every 15 s.
"""
