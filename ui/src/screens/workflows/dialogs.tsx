/** The palette of nodes, and the choice of an edge: both work by keyboard alone. */
import { useState } from 'react'
import {
  addNode,
  connect,
  disconnect,
  type Exit,
  insertNode,
  nodeOf,
  type WorkflowEdge,
} from './definition.ts'
import { kindsFor, leadsBack, onwardHandle, sentenceOf, wordsOf } from './graph.ts'
import { Picker } from './picker.tsx'
import type { Editor } from './use-editor.ts'

/** Where a new node goes: behind a handle, into an edge, or on its own. */
export type Place = { readonly into: WorkflowEdge } | { readonly behind: Exit } | { readonly alone: true }

function titleOf(place: Place): string {
  if ('into' in place) return `Add a node between ${place.into.from} and ${place.into.to}`
  if ('behind' in place) return `Add a node after ${place.behind.from}, at ${place.behind.handle}`
  return 'Add a node'
}

/** Searches the types of nodes that fit a place, and adds one. */
export function Palette({ editor, place, onClose }: { editor: Editor; place: Place; onClose: () => void }) {
  const fitting = kindsFor(editor.kinds, editor.definition, 'alone' in place ? 'start' : 'behind')
  return (
    <Picker
      title={titleOf(place)}
      placeholder="Such as validate, or call"
      options={fitting.map(({ type, summary, phase }) => ({
        value: type,
        label: wordsOf(type),
        hint: `${summary} · ${phase}`,
      }))}
      onClose={onClose}
      onPick={(type) => {
        onClose()
        const kind = fitting.find((one) => one.type === type)!
        const { definition } = editor
        const added =
          'into' in place
            ? insertNode(definition, place.into, type, onwardHandle(kind))
            : addNode(definition, type, 'behind' in place ? place.behind : null)
        editor.edit(() => added.definition)
        editor.focus(added.id)
      }}
    />
  )
}

const NOWHERE = ' nowhere'

/** `e`: picks a handle of a node, then where it leads. */
export function EdgeDialog({ editor, id, onClose }: { editor: Editor; id: string; onClose: () => void }) {
  const { definition } = editor
  const node = nodeOf(definition, id)
  const handles = node === undefined ? [] : editor.handles(node)
  const [handle, setHandle] = useState<string | null>(handles.length === 1 ? handles[0]! : null)
  if (node === undefined || handles.length === 0) return null
  const targetsOf = (name: string): readonly string[] =>
    definition.edges.filter((edge) => edge.from === id && edge.handle === name).map(({ to }) => to)
  if (handle === null)
    return (
      <Picker
        key="handle"
        title={`Edge from ${id}: choose a handle`}
        placeholder="Handle"
        options={handles.map((name) => ({
          value: name,
          label: name,
          hint: targetsOf(name).length === 0 ? 'not connected' : `to ${targetsOf(name).join(' and ')}`,
        }))}
        onPick={setHandle}
        onClose={onClose}
      />
    )
  const targets = targetsOf(handle)
  const trigger = (type: string): boolean =>
    editor.kinds.find((kind) => kind.type === type)?.phase === 'trigger'
  const options = definition.nodes
    .filter((one) => !trigger(one.type) && !leadsBack(definition, id, one.id))
    .map((one) => ({
      value: one.id,
      label: one.id,
      hint: targets.includes(one.id) ? 'remove this edge' : sentenceOf(one, editor.handles(one), definition),
    }))
  return (
    <Picker
      key="target"
      title={`Edge from ${id} at ${handle}: choose a node`}
      placeholder="Node"
      options={
        targets.length === 0
          ? options
          : [...options, { value: NOWHERE, label: 'nowhere', hint: 'remove the edges of this handle' }]
      }
      onClose={onClose}
      onPick={(to) => {
        onClose()
        editor.edit((now) => {
          const own = now.edges.filter((edge) => edge.from === id && edge.handle === handle)
          if (to === NOWHERE) return own.reduce(disconnect, now)
          const edge = { from: id, handle, to }
          return targets.includes(to) ? disconnect(now, edge) : connect(now, edge)
        })
        editor.focus(id)
      }}
    />
  )
}
