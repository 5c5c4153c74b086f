import { keepPreviousData, type UseQueryResult, useQuery } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import type { Json, JsonObject } from '../../../build/document.ts'
import {
  client,
  faultOf,
  type Input,
  type OperationRow,
  type Output,
  useCall,
  useMay,
  useSession,
} from '../../api/client.ts'
import { isEqual, isObject } from '../../schema/value.ts'
import { type Definition, definitionOf, isSame, toJson, type WorkflowNode } from './definition.ts'
import { readDraft, writeDraft } from './drafts.ts'
import { type Finding, nodeOfFinding } from './findings.ts'
import { handlesOf, type KnownHandles } from './graph.ts'
import { begin, change, redo, seal, undo } from './history.ts'
import type { Positions } from './layout.ts'
import { type Mocks, NO_RUN, type Run } from './run.ts'

/** Milliseconds without a change, after which the document is validated and the draft is kept. */
const IDLE_MS = 350

/** Where a workflow is stored: as a resource of its own, or with a proxy. */
export interface Source {
  /** Such as `workflows/wfl_…`. */
  readonly key: string
  readonly slug: string
  readonly revision: number
  readonly definition: Json | undefined
  /** Other members that are edited with it; null: there are none. */
  readonly settings: JsonObject | null
  /** Saves it. */
  readonly row: OperationRow
  readonly inputOf: (definition: Definition, settings: JsonObject | null) => Readonly<Record<string, unknown>>
  /** Proxies that run it, such as `orders:checked`. */
  readonly proxies: readonly string[]
  /** True if the workflow belongs to one proxy alone. */
  readonly isInline: boolean
}

/** What an editor changes: the document, the members beside it, and where nodes lie on the canvas. */
export interface Content {
  readonly definition: Definition
  readonly settings: JsonObject | null
  readonly positions: Positions
}

type Kinds = Output<'workflows.nodes'>['items']

export interface Judged {
  /** The document that the findings are about. */
  readonly definition: Definition
  readonly findings: readonly Finding[]
  readonly handles: KnownHandles
}

const NOT_JUDGED: Judged = { definition: { nodes: [], edges: [] }, findings: [], handles: {} }

function contentOf(source: Source, positions: Positions): Content {
  return { definition: definitionOf(source.definition), settings: source.settings, positions }
}

/** Positions are kept in this browser: the document has no place for them. */
function positionsOf(key: string): Positions {
  try {
    const value = JSON.parse(localStorage.getItem(`postern-positions ${key}`) ?? '{}') as Json
    return isObject(value) ? (value as unknown as Positions) : {}
  } catch {
    return {}
  }
}

/** An editor of one workflow: the document with its steps back and forth, what is selected, what validation and the last run say. */
export function useEditor(source: Source, isReadOnly: boolean) {
  const session = useSession()
  const draftKey = `${session?.id ?? ''} ${source.key}`
  const [base, setBase] = useState(source)
  const [history, setHistory] = useState(() => begin(contentOf(source, positionsOf(source.key))))
  const [selection, setSelection] = useState<readonly string[]>([])
  const [wantsFocus, setWantsFocus] = useState<string | null>(null)
  const [run, setRun] = useState<Run>(NO_RUN)
  const [mocks, setMocks] = useState<Mocks>({})
  const [isRestored, setRestored] = useState(false)
  const [older, setOlder] = useState<Content | null>(null)
  const { definition, settings, positions } = history.present
  const saved = useMemo(() => contentOf(base, {}), [base])
  const isDirty =
    !isSame(definition, saved.definition) || !isEqual(settings ?? undefined, saved.settings ?? undefined)

  const known = useCall('workflows.nodes', { schemas: true })
  const kinds = known.data?.items ?? NO_KINDS
  const { query: judging, ...judged } = useJudged(definition)
  useDraft(draftKey, base.revision, history.present, isDirty && !isReadOnly, (draft, isCurrent) => {
    if (isReadOnly) return
    if (!isCurrent) setOlder(draft)
    else if (!isSame(draft.definition, saved.definition) || !isEqual(draft.settings, saved.settings)) {
      setHistory((now) =>
        change(now, { ...draft, positions: { ...draft.positions, ...now.present.positions } }),
      )
      setRestored(true)
    }
  })
  useEffect(() => {
    localStorage.setItem(`postern-positions ${source.key}`, JSON.stringify(positions))
  }, [positions, source.key])
  // Nothing is lost by showing what somebody else has saved, as long as nothing was changed here
  useEffect(() => {
    if (source.revision <= base.revision || isDirty) return
    setBase(source)
    setHistory((now) => begin(contentOf(source, now.present.positions)))
  }, [source, base, isDirty])

  const set = useCallback((make: (content: Content) => Content, gesture: string | null = null): void => {
    setHistory((now) => change(now, make(now.present), gesture))
  }, [])
  const edit = useCallback(
    (make: (definition: Definition) => Definition, gesture: string | null = null): void => {
      if (isReadOnly) return
      set((content) => {
        const next = make(content.definition)
        return next === content.definition ? content : { ...content, definition: next }
      }, gesture)
    },
    [set, isReadOnly],
  )
  const handles = useCallback(
    (node: WorkflowNode) => handlesOf(node, kinds, judged.handles, definition),
    [kinds, judged.handles, definition],
  )
  return {
    ...{
      source,
      // Who uses the workflow is known later than the workflow
      base: { ...base, proxies: source.proxies },
      definition,
      settings,
      positions,
      kinds,
      judged,
      handles,
      run,
      setRun,
      mocks,
      setMocks,
    },
    /** Questions without an answer: the types of nodes, and what validation finds. */
    failed: [known, judging].filter(({ error }) => error !== null),
    ...{ selection, wantsFocus, isDirty, isReadOnly, isRestored, older, edit },
    /** Selects nodes, and nothing else. */
    select: (ids: readonly string[]) => setSelection((now) => (isEqual([...now], [...ids]) ? now : ids)),
    /** Selects a node and leads the keyboard to it. */
    focus: (id: string | null) => {
      setSelection(id === null ? [] : [id])
      setWantsFocus(id)
    },
    focused: () => setWantsFocus(null),
    move: (next: Positions, gesture: string | null = null) =>
      set((content) => ({ ...content, positions: next }), gesture),
    setSettings: (next: JsonObject) => set((content) => ({ ...content, settings: next }), 'settings'),
    canUndo: history.past.length > 0,
    canRedo: history.future.length > 0,
    undo: () => setHistory(undo),
    redo: () => setHistory(redo),
    seal: () => setHistory(seal),
    /** Goes on from a saved revision. */
    savedAs: (next: Source) => {
      setBase(next)
      setRestored(false)
      setHistory((now) => ({
        ...now,
        present: { ...contentOf(next, now.present.positions) },
      }))
    },
    /** Drops what was changed here for what somebody else has saved. One step back brings it again. */
    takeTheirs: (next: Source) => {
      setBase(next)
      setRestored(false)
      setHistory((now) => change(now, contentOf(next, now.present.positions)))
    },
    /** Drops what was changed here. */
    discard: () => {
      setBase(source)
      setRestored(false)
      setHistory((now) => change(now, contentOf(source, now.present.positions)))
    },
    /** Takes or drops the draft of an earlier revision. */
    takeOlder: (isTaken: boolean) => {
      if (isTaken && older !== null) set(() => older)
      else writeDraft(draftKey, null).catch(() => {})
      setOlder(null)
    },
  }
}

export type Editor = ReturnType<typeof useEditor>

const NO_KINDS: Kinds = []

/** What the server finds, once nobody has changed anything for a moment. */
function useJudged(
  definition: Definition,
): Judged & { readonly isCurrent: boolean; readonly query: UseQueryResult<Judged> } {
  const may = useMay()
  const [idle, setIdle] = useState(definition)
  useEffect(() => {
    const timer = setTimeout(() => setIdle(definition), IDLE_MS)
    return () => clearTimeout(timer)
  }, [definition])
  const query = useQuery({
    queryKey: ['workflows.validate', idle],
    queryFn: async ({ signal }): Promise<Judged> => {
      try {
        const input = { definition: toJson(idle) } as unknown as Input<'workflows.validate'>
        const { findings, handles } = (await client.call('workflows.validate', input, { signal })).body
        return { definition: idle, findings, handles }
      } catch (error) {
        // A document without the form of one: its faults are findings too
        const { status, fields } = faultOf(error)
        if (status !== 422 && status !== 400) throw error
        return { ...NOT_JUDGED, definition: idle, findings: fields.map(formFinding) }
      }
    },
    enabled: may('workflows.validate'),
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  })
  const judged = query.data ?? NOT_JUDGED
  return useMemo(
    () => ({ ...judged, isCurrent: judged.definition === definition && !query.isFetching, query }),
    [judged, definition, query],
  )
}

function formFinding({ pointer, reason }: { readonly pointer: string; readonly reason: string }): Finding {
  return {
    code: 'bad_config',
    severity: 'error',
    pointer: pointer.replace(/^\/definition/, ''),
    message: reason,
  }
}

/** Findings of a node of the document as it is now. */
export function findingsAt({ judged }: Editor, id: string): readonly Finding[] {
  return judged.findings.filter((finding) => nodeOfFinding(finding, judged.definition) === id)
}

/** Keeps changes in this browser, and tells of those that it has kept. */
function useDraft(
  key: string,
  revision: number,
  content: Content,
  isKept: boolean,
  found: (content: Content, isCurrent: boolean) => void,
): void {
  const [isRead, setRead] = useState(false)
  const tell = useRef(found)
  tell.current = found
  // What was there when the page opened; later revisions are those of this page
  const first = useRef(revision)
  useEffect(() => {
    let isGone = false
    readDraft(key)
      .then((draft) => {
        if (isGone) return
        setRead(true)
        const value = draft?.content
        if (draft == null || !isObject(value)) return
        const { definition, settings, positions } = value
        tell.current(
          {
            definition: definitionOf(definition),
            settings: isObject(settings) ? settings : null,
            positions: isObject(positions) ? (positions as unknown as Positions) : {},
          },
          draft.revision === first.current,
        )
      })
      .catch(() => {})
    return () => {
      isGone = true
    }
  }, [key])
  const wasKept = useRef(false)
  const latest = useRef({ revision, content, isKept })
  latest.current = { revision, content, isKept }
  // The page may be left before the moment has passed
  useEffect(() => {
    const keep = (): void => {
      const { isKept: isDue, ...draft } = latest.current
      if (isDue) writeDraft(key, { ...draft, content: draft.content as unknown as Json }).catch(() => {})
    }
    addEventListener('pagehide', keep)
    return () => {
      removeEventListener('pagehide', keep)
      keep()
    }
  }, [key])
  useEffect(() => {
    if (!isRead || (!isKept && !wasKept.current)) return
    const timer = setTimeout(() => {
      wasKept.current = isKept
      writeDraft(key, isKept ? { revision, content: content as unknown as Json } : null).catch(() => {})
    }, IDLE_MS)
    return () => clearTimeout(timer)
  }, [key, revision, content, isKept, isRead])
}
