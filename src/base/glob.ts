/**
 * A question to text whether it fits a glob, in which `*` stands for anything. Takes time linear in the text for each piece: the
 * pieces are found one after another.
 */
export function toGlob(glob: string): (text: string) => boolean {
  const pieces = glob.split('*')
  if (pieces.length === 1) return (text) => text === glob
  const first = pieces[0]!
  const last = pieces[pieces.length - 1]!
  const inner = pieces.slice(1, -1).filter((piece) => piece !== '')
  return (text) => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last))
      return false
    const end = text.length - last.length
    let at = first.length
    for (const piece of inner) {
      const found = text.indexOf(piece, at)
      if (found === -1 || found + piece.length > end) return false
      at = found + piece.length
    }
    return true
  }
}
