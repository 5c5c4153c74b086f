/** True for text that fits a glob, in which `*` stands for anything. Linear in each part: the pieces are found one after another. */
export function fitsGlob(glob: string, text: string): boolean {
  const pieces = glob.split('*')
  const first = pieces[0]!
  if (pieces.length === 1) return glob === text
  const last = pieces[pieces.length - 1]!
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last))
    return false
  const end = text.length - last.length
  let at = first.length
  for (let i = 1; i < pieces.length - 1; i++) {
    const found = text.indexOf(pieces[i]!, at)
    if (found === -1 || found + pieces[i]!.length > end) return false
    at = found + pieces[i]!.length
  }
  return true
}
