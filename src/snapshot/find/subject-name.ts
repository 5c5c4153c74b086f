/** A subject in one order: RFC 4514 writes the last attribute first, others write the first one first. */
export function subjectName(parts: readonly string[]): string {
  const forward = parts.map((part) => part.trim()).join(',')
  const backward = parts
    .map((part) => part.trim())
    .reverse()
    .join(',')
  return forward < backward ? forward : backward
}
