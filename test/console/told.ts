/** Equipment of stories at the console: a person signs in and does all of it with one hand, the pointer or the keyboard. */
import assert from 'node:assert/strict'
import type { Browser, Page } from 'playwright-core'
import type { Door } from '../support/doors.ts'
import { assertFaultless, signIn, type Visitor, visitor } from './chromium.ts'
import { type Hand, keyboardOn, pointerOn } from './hands.ts'

/** Of the doors in the order of `atEachDoor`: an assistant, the pointer, the keyboard. */
export const SUFFIXES = ['-assistant', '-program', '-terminal']

export interface Site {
  readonly browser: Browser
  /** Of the console. */
  readonly origin: string
  /** Other origins that pages may ask, such as that of the sign-in. */
  readonly origins: readonly string[]
  /** The person that signs in. */
  readonly name: string
}

export interface Teller {
  readonly hand: Hand
  readonly page: Page
  readonly visit: Visitor
  /** Follows a link of the side bar. */
  go(place: string): Promise<void>
}

/** Tells a story at the console, from its home page on. */
export async function atConsole(
  { browser, origin, origins, name }: Site,
  suffix: string,
  story: (teller: Teller) => Promise<void>,
): Promise<void> {
  await using visit = await visitor(browser, [origin, ...origins])
  const { page } = visit
  await signIn(page, origin, name)
  const hand = suffix === SUFFIXES[1] ? pointerOn(page) : keyboardOn(page)
  const go = async (place: string): Promise<void> => {
    const link = page.getByRole('navigation').getByRole('link', { name: place, exact: true })
    if (!(await link.isVisible())) await hand.press(page.getByRole('button', { name: 'Govern' }))
    await hand.press(link)
    await page.getByRole('heading', { name: place, level: 1 }).waitFor()
  }
  await story({ hand, page, visit, go })
  assertFaultless(visit, suffix)
}

/** Sends a form that is filled in: the difference first. */
export async function make(hand: Hand, page: Page, name: RegExp | string): Promise<void> {
  await hand.press(page.getByRole('button', { name: 'Review the change' }))
  await hand.press(page.getByRole('button', { name: 'Create' }))
  await page.getByRole('heading', { name, level: 1 }).waitFor()
}

/** Names the audit entries of the console. Stories walk its pages. */
export function consoleDoor(): Door {
  return { name: 'admin_ui', run: () => assert.fail('a story in the console walks its pages') }
}
