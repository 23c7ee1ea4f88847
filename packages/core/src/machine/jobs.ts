import { SternaError } from '../errors.ts';

/** QMP's JobStatus, as far as jobs here come: none is paused or waits for an order to go on. */
export type JobStatus = 'created' | 'running' | 'waiting' | 'pending' | 'aborting' | 'concluded' | 'null';

/** What can be asked of a job, QMP's JobVerb. */
export type JobVerb = 'cancel' | 'pause' | 'resume' | 'complete' | 'finalize' | 'dismiss';

/** Statuses in which a job takes an order (QEMU job.c, v11.1). */
const TAKES: Readonly<Record<JobVerb, readonly JobStatus[]>> = {
  cancel: ['created', 'running', 'waiting', 'pending'],
  pause: [],
  resume: [],
  complete: [],
  finalize: ['pending'],
  dismiss: ['concluded'],
};

/** A job as `query-jobs` shows it (QAPI JobInfo). */
export interface JobInfo {
  readonly id: string;
  readonly type: string;
  readonly status: JobStatus;
  readonly 'current-progress': number;
  readonly 'total-progress': number;
  /** Why it failed, once it has. */
  readonly error?: string;
}

/** What a job's work may tell of itself. */
export interface JobContext {
  /** Aborted when the job is cancelled. */
  readonly signal: AbortSignal;
  /** How much of how much is done, in a unit of the job's own. */
  progress(current: number, total: number): void;
}

interface Job {
  readonly id: string;
  readonly type: string;
  readonly abort: AbortController;
  status: JobStatus;
  current: number;
  total: number;
  error: string | undefined;
}

/**
 * Long commands that a monitor starts and asks about later. A job that has ended stays in the list until it is
 * dismissed, so that nobody misses how it ended.
 */
export class JobList {
  readonly #jobs = new Map<string, Job>();
  readonly #changed: (id: string, status: JobStatus) => void;

  /** @param changed told of every change of a status, for JOB_STATUS_CHANGE */
  constructor(changed: (id: string, status: JobStatus) => void) {
    this.#changed = changed;
  }

  /**
   * Starts a job and returns at once.
   *
   * @param work does it; what it throws becomes the job's error
   * @throws SternaError `STERNA_ERR_JOB` when the id is none, or another job has it
   */
  start(id: string, type: string, work: (context: JobContext) => Promise<void>): void {
    if (!/^[a-z][\w.-]*$/i.test(id)) throw refused(`Invalid job ID '${id}'`);
    if (this.#jobs.has(id)) throw refused(`Job ID '${id}' already in use`);
    const job: Job = {
      id,
      type,
      abort: new AbortController(),
      status: 'created',
      current: 0,
      total: 1,
      error: undefined,
    };
    this.#jobs.set(id, job);
    this.#changed(id, 'created');
    this.#move(job, 'running');
    void this.#run(job, work);
  }

  async #run(job: Job, work: (context: JobContext) => Promise<void>): Promise<void> {
    const { signal } = job.abort;
    try {
      await work({
        signal,
        progress: (current, total) => {
          job.current = current;
          job.total = total;
        },
      });
      job.current = job.total;
      this.#move(job, 'waiting');
      this.#move(job, 'pending');
    } catch (error) {
      // A cancel makes whatever was under way fail; that failure is no news.
      job.error = signal.aborted ? 'Operation canceled' : error instanceof Error ? error.message : String(error);
      this.#move(job, 'aborting');
    }
    this.#move(job, 'concluded');
  }

  /** All jobs, the newest first. */
  list(): readonly JobInfo[] {
    return [...this.#jobs.values()].reverse().map(({ id, type, status, current, total, error }) => ({
      id,
      type,
      status,
      'current-progress': current,
      'total-progress': total,
      ...(error === undefined ? {} : { error }),
    }));
  }

  /**
   * Gives an order to a job.
   *
   * @throws SternaError `STERNA_ERR_JOB` when there is no such job, or it does not take the order now
   */
  order(id: string, verb: JobVerb): void {
    const job = this.#jobs.get(id);
    if (job === undefined) throw refused('Job not found');
    if (!TAKES[verb].includes(job.status))
      throw refused(`Job '${id}' in state '${job.status}' cannot accept command verb '${verb}'`);
    if (verb === 'cancel') job.abort.abort();
    if (verb !== 'dismiss') return;
    this.#jobs.delete(id);
    this.#move(job, 'null');
  }

  /** Cancels whatever runs: the machine ends. */
  cancelAll(): void {
    for (const { abort, status } of this.#jobs.values()) if (status === 'running') abort.abort();
  }

  #move(job: Job, status: JobStatus): void {
    job.status = status;
    this.#changed(job.id, status);
  }
}

function refused(message: string): SternaError {
  return new SternaError('STERNA_ERR_JOB', message);
}
