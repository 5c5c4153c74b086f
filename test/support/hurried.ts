/**
 * Moves a clock on, ten times as fast as time passes, until the work has ended: for work that ends by a deadline.
 * @param move moves the clock on, milliseconds
 */
export async function hurried<T>(move: (ms: number) => void, work: Promise<T>): Promise<T> {
  const timer = setInterval(() => move(50), 5)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}
