/** Sends questions of the main thread to gateway threads, and matches their answers. */
import { createQuestions } from '../../base/threads/in-line.ts'
import type { Answers, Question, ToGateway } from '../shared/messages.ts'

/** Questions of the main thread to gateway threads, and who waits for their answers. */
export interface ThreadQuestions<Thread> {
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

export function createThreadQuestions<Thread>(
  tell: (thread: Thread, message: ToGateway) => void,
): ThreadQuestions<Thread> {
  const questions = createQuestions<{ readonly answer: unknown } | { readonly fault: string }, Thread>(
    (why) => ({
      fault: why === 'late' ? 'the gateway thread did not answer' : 'the gateway thread has ended',
    }),
  )
  const ask: ThreadQuestions<Thread>['ask'] = async (thread, question, deadlineMs) => {
    if (thread === undefined) throw new Error('no gateway thread listens')
    const say = (id: number): void => tell(thread, { kind: 'ask', id, question })
    const given = await questions.ask(deadlineMs, say, thread)
    if ('fault' in given) throw new Error(given.fault)
    // A thread answers each question by its own kind
    return given.answer as never
  }
  return {
    ask,
    async askAll(threads, question, deadlineMs) {
      const answers = await Promise.allSettled(threads.map((one) => ask(one, question, deadlineMs)))
      return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    },
    answered: (id, answer) => void questions.answered(id, { answer }),
    ended: questions.ended,
  }
}
