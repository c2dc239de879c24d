"""What became of the attempts at a job before its last: noted in its row, and handed on to its result.

Only an attempt that did not succeed costs anything, and then no statement of its own: the fragment is part of the UPDATE
that ends it.
"""

#: The newest so many are kept: a job that is postponed again and again has thousands.
KEPT = 20


def ended(how: str, error: str = "''") -> str:
    """Return the part of ``UPDATE jobs_job SET`` that notes how the attempt ended that runs, if one does.

    Args:
        how: one word for people, such as ``lost``.
        error: SQL for the error that ended it; ``%s`` takes one more parameter.

    """
    return f"""
        attempts = CASE WHEN jobs_job.state <> 'running' THEN jobs_job.attempts ELSE jsonb_path_query_array(
            coalesce(jobs_job.attempts, '[]') || jsonb_build_object(
                'number', jobs_job.attempt, 'how', '{how}', 'error', left({error}::text, 300), 'worker', jobs_job.worker,
                'began', jobs_job.claimed_at, 'ended', clock_timestamp()),
            '$[last - {KEPT - 1} to last]') END
    """
