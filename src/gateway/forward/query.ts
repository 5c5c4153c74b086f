/** The query without the parameters of this name, however they are encoded. Order and repeats of others stay. */
export function withoutParameter(query: string, name: string): string {
  return query
    .split('&')
    .filter((pair) => decoded(pair.split('=', 1)[0]!) !== name)
    .join('&')
}

function decoded(text: string): string {
  const plain = text.replaceAll('+', ' ')
  try {
    return decodeURIComponent(plain)
  } catch {
    // No UTF-8: no server reads it as a name that was configured.
    return plain
  }
}
