/** Parts between separators outside of quotes; none where a quote is left open: nobody knows where that part ends. */
export function splitQuoted(text: string, separator: string): string[] {
  const parts: string[] = []
  let quoted = false
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (quoted && character === '\\') i++
    else if (character === '"') quoted = !quoted
    else if (character === separator && !quoted) {
      parts.push(text.slice(from, i))
      from = i + 1
    }
  }
  return quoted ? [] : [...parts, text.slice(from)]
}
