import type { Answers, Question, ToGateway } from '../shared/messages.ts'

/** Questions of the main thread to gateway threads, and who waits for their answers. */
export interface Questions<Thread> {
  /** Asks a thread. Rejects when there is none, when it ends, and when it does not answer in time. */
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
  /** The thread has ended: whatever it was asked is answered no more. */
  ended(thread: Thread): void
}

export function createQuestions<Thread>(
  tell: (thread: Thread, message: ToGateway) => void,
): Questions<Thread> {
  const asking = new Map<number, Asked<Thread>>()
  let last = 0

  const ask: Questions<Thread>['ask'] = (thread, question, deadlineMs) => {
    if (thread === undefined) return Promise.reject(new Error('no gateway thread listens'))
    const id = ++last
    const { promise, resolve, reject } = Promise.withResolvers<Answers[typeof question.about]>()
    const over = (): void => {
      clearTimeout(timer)
      asking.delete(id)
    }
    const fail = (why: string): void => {
      over()
      reject(new Error(why))
    }
    const timer = setTimeout(fail, deadlineMs, 'the gateway thread did not answer')
    asking.set(id, {
      thread,
      answer(answer) {
        over()
        // A thread answers each question by its own kind
        resolve(answer as never)
      },
      fail,
    })
    tell(thread, { kind: 'ask', id, question })
    return promise as never
  }

  return {
    ask,
    async askAll(threads, question, deadlineMs) {
      const answers = await Promise.allSettled(threads.map((one) => ask(one, question, deadlineMs)))
      return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    },
    answered: (id, answer) => asking.get(id)?.answer(answer),
    ended(thread) {
      for (const asked of [...asking.values()])
        if (asked.thread === thread) asked.fail('the gateway thread has ended')
    },
  }
}

interface Asked<Thread> {
  readonly thread: Thread
  answer(answer: unknown): void
  fail(why: string): void
}
