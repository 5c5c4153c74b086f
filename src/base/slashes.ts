/** The text without slashes at its end. A regular expression for it would take quadratically long for slashes before it. */
export function withoutEndSlashes(text: string): string {
  let end = text.length
  while (text[end - 1] === '/') end--
  return text.slice(0, end)
}
