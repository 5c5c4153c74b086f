/** Presses in a row that open it. The link in the first cell stays the only part of the row that the keyboard and a screen reader meet. */
import type { MouseEvent } from 'react'

/** Parts of a row that a press is meant for, instead of the row. A dialog of a row lies within it. */
const OWN = 'a, button, input, select, textarea, label, summary, dialog'

/** Follows the link of a row, if the press in it was meant for no other part. */
export function openPressed(event: MouseEvent<HTMLElement>): void {
  const { currentTarget: row, target } = event
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
  if (!(target instanceof Element) || !row.contains(target) || target.closest(OWN) !== null) return
  // The end of a drag over a text is a click too
  const selection = getSelection()
  if (selection !== null && !selection.isCollapsed && selection.containsNode(row, true)) return
  row.querySelector<HTMLElement>('[data-row-link]')?.click()
}
