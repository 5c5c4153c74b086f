/** A list of two lists that are one and the same, as many levels deep: small in memory, and of more JSON than any machine holds. */
export function doubled(levels = 60): unknown {
  let value: unknown = ['x']
  for (let level = 0; level < levels; level++) value = [value, value]
  return value
}
