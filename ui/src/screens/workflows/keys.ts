/** Keys of the editor of a workflow, for both of its views. */
import { useEffect } from 'react'
import { useKeys } from '../../app/keys.ts'
import { type Clip, clipOf, nodeOf, paste, readClip, removeNodes } from './definition.ts'
import type { Place } from './dialogs.tsx'
import { type Direction, freeExit, neighbourOf, orderOf } from './graph.ts'
import type { Editor } from './use-editor.ts'

/** Pixels that Shift and an arrow move nodes by. */
const STEP = 16
const ARROWS: Readonly<
  Record<string, { readonly direction: Direction; readonly x: number; readonly y: number }>
> = {
  ArrowRight: { direction: 'next', x: STEP, y: 0 },
  ArrowLeft: { direction: 'previous', x: -STEP, y: 0 },
  ArrowDown: { direction: 'below', x: 0, y: STEP },
  ArrowUp: { direction: 'above', x: 0, y: -STEP },
}

interface Actions {
  /** Where a new node is searched for. */
  readonly add: (place: Place) => void
  readonly open: (id: string) => void
  readonly connect: (id: string) => void
  readonly run: () => void
  /** Moves nodes on the canvas; null in the view that has no places. */
  readonly move: ((ids: readonly string[], x: number, y: number) => void) | null
}

/** Adds the nodes of a clip, and selects them. */
export function insertClip(editor: Editor, clip: Clip): void {
  const pasted = paste(editor.definition, clip)
  editor.edit(() => pasted.definition)
  const [first] = pasted.ids
  if (pasted.ids.length === 1) editor.focus(first!)
  else editor.select(pasted.ids)
}

/** The place behind the selected node, or a place of its own. */
export function placeFor(editor: Editor): Place {
  const node = nodeOf(editor.definition, editor.selection.at(-1) ?? '')
  const exit = node === undefined ? null : freeExit(node, editor.handles(node), editor.definition)
  return exit === null ? { alone: true } : { behind: exit }
}

/** Removes the selected nodes, and leads the keyboard to the node before them. */
export function removeSelected(editor: Editor): void {
  const { definition, selection } = editor
  if (selection.length === 0) return
  const before = definition.edges.find(({ from, to }) => selection.includes(to) && !selection.includes(from))
  editor.edit((now) => removeNodes(now, selection))
  editor.focus(before?.from ?? null)
}

export function useEditorKeys(editor: Editor, actions: Actions): void {
  const { definition, selection, isReadOnly } = editor
  const [current] = selection
  const unlessTyping = (act: () => void) => (event: KeyboardEvent) => {
    if (isAway(event.target)) return false
    act()
    return true
  }
  const unlessReadOnly = (act: () => void) => () => {
    if (isReadOnly) return false
    act()
    return true
  }
  const onSelected = (act: (id: string) => void) => (): boolean => {
    if (current === undefined) return false
    act(current)
    return true
  }
  const arrow = (event: KeyboardEvent): boolean => {
    const { direction, x, y } = ARROWS[event.key]!
    // Elsewhere on the page arrows scroll
    if (current === undefined || !isInGraph(event.target)) return false
    if (event.shiftKey) {
      if (actions.move === null || isReadOnly) return false
      actions.move(selection, x, y)
      return true
    }
    const rows = orderOf(definition).map(({ id }) => id)
    const next =
      actions.move === null && x === 0
        ? rows[rows.indexOf(current) + Math.sign(y)]
        : neighbourOf(definition, current, direction)
    if (next != null) editor.focus(next)
    return true
  }
  useKeys({
    n: unlessReadOnly(() => actions.add(placeFor(editor))),
    e: isReadOnly ? () => false : onSelected(actions.connect),
    Delete: unlessReadOnly(() => removeSelected(editor)),
    Backspace: unlessReadOnly(() => removeSelected(editor)),
    Enter: (event) =>
      isInGraph(event.target) && !isButton(event.target) ? onSelected(actions.open)() : false,
    'mod+z': (event) => unlessTyping(event.shiftKey ? editor.redo : editor.undo)(event),
    'mod+y': unlessTyping(editor.redo),
    'mod+d': (event) =>
      unlessTyping(() => {
        if (!isReadOnly && selection.length > 0) insertClip(editor, clipOf(definition, selection))
      })(event),
    'mod+enter': actions.run,
    ...Object.fromEntries(Object.keys(ARROWS).map((name) => [name, arrow])),
  })
  useEffect(() => {
    // The events of the platform need no permission to read the clipboard
    const onCopy = (event: ClipboardEvent): void => {
      if (isAway(event.target) || selection.length === 0 || String(getSelection()) !== '') return
      event.clipboardData?.setData('text/plain', JSON.stringify(clipOf(definition, selection), null, 2))
      event.preventDefault()
    }
    const onPaste = (event: ClipboardEvent): void => {
      if (isAway(event.target) || isReadOnly) return
      const clip = readClip(event.clipboardData?.getData('text/plain') ?? '')
      if (clip === null) return
      insertClip(editor, clip)
      event.preventDefault()
    }
    document.addEventListener('copy', onCopy)
    document.addEventListener('paste', onPaste)
    return () => {
      document.removeEventListener('copy', onCopy)
      document.removeEventListener('paste', onPaste)
    }
  })
}

/** In a text, or in a dialog, keys mean something else. */
function isAway(target: EventTarget | null): boolean {
  return (
    document.querySelector('dialog[open]') !== null ||
    (target instanceof Element && target.closest('input, textarea, select, [contenteditable]') !== null)
  )
}

function isInGraph(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('[data-graph]') !== null
}

function isButton(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('button, a') !== null
}
