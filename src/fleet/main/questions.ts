import type { Answers, Question, ToGateway } from '../shared/messages.ts'

/** Questions of the main thread to gateway threads, and who waits for their answers. */
export interface Questions<Thread> {
  /** Asks a thread. Rejects when there is none, or none that answers in time. */
  ask<About extends Question['about']>(
    thread: Thread | undefined,
    question: Extract<Question, { about: About }>,
    deadlineMs: number,
  ): Promise<Answers[About]>
  /** Of all that answer: a thread that has just died, or hangs, knows nothing that is worth waiting for. */
  askAll<About extends Question['about']>(
    threads: readonly Thread[],
    question: Extract<Question, { about: About }>,
    deadlineMs: number,
  ): Promise<Answers[About][]>
  /** Takes the answer to the question of that number. */
  answered(id: number, answer: unknown): void
}

export function createQuestions<Thread>(
  tell: (thread: Thread, message: ToGateway) => void,
): Questions<Thread> {
  const asking = new Map<number, (answer: unknown) => void>()
  let last = 0

  const ask: Questions<Thread>['ask'] = (thread, question, deadlineMs) => {
    if (thread === undefined) return Promise.reject(new Error('no gateway thread listens'))
    const id = ++last
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        asking.delete(id)
        reject(new Error('the gateway thread did not answer'))
      }, deadlineMs)
      asking.set(id, (answer) => {
        clearTimeout(timer)
        asking.delete(id)
        // A thread answers each question by its own kind
        resolve(answer as never)
      })
      tell(thread, { kind: 'ask', id, question })
    })
  }

  return {
    ask,
    async askAll(threads, question, deadlineMs) {
      const answers = await Promise.allSettled(threads.map((one) => ask(one, question, deadlineMs)))
      return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    },
    answered: (id, answer) => asking.get(id)?.(answer),
  }
}
