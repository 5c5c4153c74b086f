/**
 * Asks before a person loses what only the page has: edits that are not saved, or a secret that is shown once.
 *
 * 1. While the guard is on, links, Back and Forward ask by a dialog of the console, and so does closing the dialog that the guard is
 *    in. The browser itself asks before its tab closes.
 * 2. Leaving is another path, or another tab of the page (`?tab=`). Other parameters only change what the page shows.
 * 3. An answer of yes lets one navigation go on; the guard itself ends with what it guards.
 * 4. Several guards with the same question ask once. An open question goes with the last of them, answered with no: what was
 *    guarded is stored by then, or gone.
 * 5. Nothing asks before a page is given up because its person has left it: nobody else is to see what is on it.
 */
import { useBlocker } from '@tanstack/react-router'
import { createContext, useContext, useEffect, useRef, useSyncExternalStore } from 'react'

/** Takes a question that the dialog around asks before it closes. Returns a function that takes it back. */
type Guarding = (question: Question) => () => void

/** The dialog around; null outside of dialogs. */
export const DialogGuards = createContext<Guarding | null>(null)

const DISCARD: Question = {
  title: 'Discard your changes?',
  text: 'What you have entered here is not saved.',
  yes: 'Discard',
  no: 'Keep editing',
}

interface Place {
  readonly pathname: string
  readonly search: object
}

interface Guard {
  readonly question: Question
}

/** The guards that are on, the newest last. */
const guards: Guard[] = []
let isGivenUp = false

/** Asks as the guards do. True if nothing is guarded, or if the person leaves it. */
export async function mayLeave(): Promise<boolean> {
  const newest = guards.at(-1)
  return newest === undefined || ask(newest.question)
}

/** Ends all guards: the document is about to be replaced. */
export function giveUp(): void {
  isGivenUp = true
}

/** @param question must stay the same object between renderings */
export function useLeaveGuard(isOn: boolean, question: Question = DISCARD): void {
  const guardDialog = useContext(DialogGuards)
  const own = useRef<Guard>(null)
  useBlocker({
    shouldBlockFn: async ({ current, next }) =>
      isLeaving(current, next) && isAsking(own.current) && !(await ask(question)),
    enableBeforeUnload: () => !isGivenUp,
    disabled: !isOn,
  })
  useEffect(() => {
    if (!isOn) return
    const leaveDialog = guardDialog?.(question)
    const guard: Guard = { question }
    own.current = guard
    guards.push(guard)
    return () => {
      leaveDialog?.()
      own.current = null
      guards.splice(guards.indexOf(guard), 1)
      if (!guards.some((other) => other.question === question)) withdraw(question)
    }
  }, [isOn, guardDialog, question])
}

/** True for the newest guard with its question. */
function isAsking(guard: Guard | null): boolean {
  return guard !== null && guards.findLast(({ question }) => question === guard.question) === guard
}

function isLeaving(from: Place, to: Place): boolean {
  return from.pathname !== to.pathname || tabOf(from) !== tabOf(to)
}

function tabOf({ search }: Place): unknown {
  return (search as { readonly tab?: unknown }).tab
}

export interface Question {
  readonly title: string
  readonly text: string
  /** Name of the button that goes on. */
  readonly yes: string
  /** Name of the button that leaves everything as it is. */
  readonly no: string
}

interface Asked extends Question {
  /** The question as it was given. */
  readonly question: Question
  readonly answer: (isYes: boolean) => void
}

let asked: Asked | null = null
const askedListeners = new Set<() => void>()

function setAsked(next: Asked | null): void {
  asked = next
  for (const tell of askedListeners) tell()
}

/** Asks by a dialog of the console. A further question takes the place of one that is open, which then is answered with no. */
export function ask(question: Question): Promise<boolean> {
  asked?.answer(false)
  return new Promise((resolve) => {
    const own: Asked = {
      ...question,
      question,
      answer: (isYes) => {
        if (asked === own) setAsked(null)
        resolve(isYes)
      },
    }
    setAsked(own)
  })
}

/** Answers a question that is open with no: what it is about is over. */
function withdraw(question: Question): void {
  if (asked?.question === question) asked.answer(false)
}

/** The question that is open, for the dialog that shows it. */
export function useAsked(): Asked | null {
  return useSyncExternalStore(
    (tell) => {
      askedListeners.add(tell)
      return () => askedListeners.delete(tell)
    },
    () => asked,
  )
}
