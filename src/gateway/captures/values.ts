/** The values that the nodes of a workflow give in the run for a request that a capture has taken. */
import { VALUE_CHARS_MAX, VALUES_CHARS_MAX } from '../../model/workflow/capture.ts'
import type { TrialStep } from '../../model/workflow/trial.ts'
import type { LinkedPlan } from '../workflow/linked-plan.ts'
import { TrialWatch } from '../workflow/watched-plan.ts'
import type { Captures } from './armed.ts'
import type { Head } from './captured.ts'

/** One run. The values are told when the run has ended and the request was taken, in whatever order. */
export class TakenRun {
  readonly #captures: Captures
  readonly #capture: string
  readonly #head: Head
  readonly #watch: TrialWatch
  #isTaken = false
  #isEnded = false

  constructor(captures: Captures, capture: string, head: Head) {
    this.#captures = captures
    this.#capture = capture
    this.#head = head
    this.#watch = new TrialWatch({}, true, {
      valueChars: VALUE_CHARS_MAX,
      allChars: VALUES_CHARS_MAX,
      shown: (outputs) => head.clean.value(outputs),
      // The capture has the request itself
      without: 'http_trigger',
    })
  }

  /** The plan, watched. */
  plan(plan: LinkedPlan): LinkedPlan {
    return this.#watch.plan(plan, '')
  }

  taken(): void {
    this.#isTaken = true
    this.#tell()
  }

  /** To be called once when the run has ended. */
  ended(): void {
    this.#isEnded = true
    this.#tell()
  }

  #tell(): void {
    if (!this.#isTaken || !this.#isEnded) return
    const values = this.#watch.steps.map(
      (step): TrialStep => ({
        ...step,
        error: step.error && { ...step.error, message: this.#head.clean.text(step.error.message) },
      }),
    )
    this.#captures.gave({ capture: this.#capture, requestId: this.#head.head.requestId, values })
  }
}
