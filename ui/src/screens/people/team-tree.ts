interface Team {
  readonly slug: string
  readonly name: string
  /** Slug of the parent team. */
  readonly parent: string | null
}

export interface TeamNode {
  readonly slug: string
  readonly name: string
  readonly below: readonly TeamNode[]
}

/** Teams below their parents. A team whose parent is not among them stands at the top. */
export function treeOf(teams: readonly Team[]): readonly TeamNode[] {
  const known = new Set(teams.map(({ slug }) => slug))
  const children = Map.groupBy(teams, ({ parent }) => (parent !== null && known.has(parent) ? parent : null))
  const below = (parent: string | null): TeamNode[] =>
    (children.get(parent) ?? []).map(({ slug, name }) => ({ slug, name, below: below(slug) }))
  return below(null)
}
