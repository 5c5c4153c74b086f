/** Questions that wait for answers which come by their numbers, such as those of one thread to another. */
export interface Questions<Answer, Peer = unknown> {
  /**
   * Asks a question under a number of its own. The answer never rejects; what `say` throws is thrown, and nothing waits.
   * @param answerMs how long an answer is waited for, milliseconds
   * @param say sends the question
   * @param peer who is asked, where there are several
   */
  ask(answerMs: number, say: (id: number) => void, peer?: Peer): Promise<Answer>
  /** Takes the answer to the question of that number. False for one that comes too late, or twice: it counts for nothing. */
  answered(id: number, answer: Answer): boolean
  /** The peer has ended: whatever it was asked is answered no more. */
  ended(peer: Peer): void
}

/** @param none the answer where none came in time, or none comes because the peer has ended */
export function createQuestions<Answer, Peer = unknown>(
  none: (why: 'late' | 'ended') => Answer,
): Questions<Answer, Peer> {
  const waiting = new Map<number, { readonly peer: Peer | undefined; end(answer: Answer): void }>()
  let last = 0
  return {
    ask(answerMs, say, peer) {
      const { promise, resolve } = Promise.withResolvers<Answer>()
      const id = ++last
      const end = (answer: Answer): void => {
        clearTimeout(timer)
        waiting.delete(id)
        resolve(answer)
      }
      const timer = setTimeout(() => end(none('late')), answerMs).unref()
      waiting.set(id, { peer, end })
      try {
        say(id)
      } catch (error) {
        clearTimeout(timer)
        waiting.delete(id)
        throw error
      }
      return promise
    },
    answered(id, answer) {
      const asked = waiting.get(id)
      asked?.end(answer)
      return asked !== undefined
    },
    ended(peer) {
      for (const asked of [...waiting.values()]) if (asked.peer === peer) asked.end(none('ended'))
    },
  }
}
