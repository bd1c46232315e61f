"""Names that other rooms use to speak of jobs."""

# An incident of this kind stands for each dead job; its key is the job's id.
JOB_DEAD = "job.dead"
