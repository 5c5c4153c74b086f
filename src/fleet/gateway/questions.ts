/** Questions of one thread to the main thread that wait for their answers. */
export interface Questions<Answer> {
  /**
   * Asks a question under a number of its own. Gives the late answer where none came in time. Never rejects.
   * @param say sends the question
   */
  ask(say: (id: number) => void): Promise<Answer>
  /** Takes the answer to the question of that number. One that comes too late, or twice, counts for nothing. */
  answered(id: number, answer: Answer): void
}

/**
 * @param late the answer where none came in time
 * @param answerMs how long an answer is waited for, milliseconds
 */
export function createQuestions<Answer>(late: Answer, answerMs: number): Questions<Answer> {
  const waiting = new Map<number, (answer: Answer) => void>()
  let last = 0
  return {
    ask(say) {
      const { promise, resolve } = Promise.withResolvers<Answer>()
      const id = ++last
      const end = (answer: Answer): void => {
        clearTimeout(timer)
        waiting.delete(id)
        resolve(answer)
      }
      const timer = setTimeout(() => end(late), answerMs).unref()
      waiting.set(id, end)
      say(id)
      return promise
    },
    answered: (id, answer) => waiting.get(id)?.(answer),
  }
}
