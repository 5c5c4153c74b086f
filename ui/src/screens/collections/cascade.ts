/**
 * The choice to publish or unpublish the proxies of a collection with it: `Also publish its 4 draft proxies`.
 * @param count null until it is known
 * @param isMore there are more than that
 */
export function cascadeWords(isPublish: boolean, count: number | null, isMore: boolean): string {
  const what = isPublish ? 'draft' : 'published'
  const verb = isPublish ? 'Also publish its' : 'Also unpublish its'
  if (count === null) return `${verb} ${what} proxies`
  if (count === 0) return `It has no ${what} proxies`
  if (count === 1 && !isMore) return `${verb} ${what} proxy`
  return `${verb} ${isMore ? `more than ${count}` : count} ${what} proxies`
}
