/** Passes on how far each step is, in quarters, so that a log of it stays short. @param tell given whole percents */
export function quarters(
  tell: (step: string, percent: number) => void,
): (step: string, part: number) => void {
  const shown = new Map<string, number>()
  return (step, part) => {
    const quarter = Math.floor(part * 4)
    if (quarter === (shown.get(step) ?? 0) || quarter === 0) return
    shown.set(step, quarter)
    tell(step, quarter * 25)
  }
}
