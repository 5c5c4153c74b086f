/** One parameter in a segment of a path pattern. */
export const PATH_PARAMETER = /\{([A-Za-z_][A-Za-z0-9_.-]{0,63})\}/g

/** Names of the parameters of a valid pattern, in order. */
export function parameterNames(pattern: string): string[] {
  return [...pattern.matchAll(PATH_PARAMETER)].map((match) => match[1]!)
}
