import { useSyncExternalStore } from 'react'

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
const listeners = new Set<() => void>()

function set(next: Asked | null): void {
  asked = next
  for (const tell of listeners) tell()
}

/** Asks by a dialog of the console. A further question takes the place of one that is open, which then is answered with no. */
export function ask(question: Question): Promise<boolean> {
  asked?.answer(false)
  return new Promise((resolve) => {
    const own: Asked = {
      ...question,
      question,
      answer: (isYes) => {
        if (asked === own) set(null)
        resolve(isYes)
      },
    }
    set(own)
  })
}

/** Answers a question that is open with no: what it is about is over. */
export function withdraw(question: Question): void {
  if (asked?.question === question) asked.answer(false)
}

/** The question that is open, for the dialog that shows it. */
export function useAsked(): Asked | null {
  return useSyncExternalStore(
    (tell) => {
      listeners.add(tell)
      return () => listeners.delete(tell)
    },
    () => asked,
  )
}
