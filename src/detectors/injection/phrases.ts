/**
 * Phrases that instruct a model. A phrase is a row of words: `a|b` is one of these, `?a|b` any number of these up to five, `~2`
 * up to two words of any kind. White space and light punctuation may stand between words, and letters may be of any case.
 */
import type { InjectionKind } from '../settings.ts'

/** What a row of words says, and how surely it is no honest text. */
interface Phrase {
  readonly kind: InjectionKind
  readonly confidence: number
  readonly text: string
  /** Sticky. Where it fits behind the phrase, the text is honest. */
  readonly unless?: RegExp
}

const RULES =
  'instructions|instruction|prompts|prompt|rules|rule|directions|directives|directive|commands|guidelines|constraints|guardrails|messages|text|context|training|programming|conversation|input|everything'
const EARLIER =
  'previous|prior|above|earlier|preceding|former|foregoing|past|existing|original|initial|system|given'
const ANY = 'all|any|every|each|the|your|my|our|its|of|these|those|this|that|other|and|or|to'
/** What a model is told to keep to itself. */
const DEEDS =
  'this|it|these|those|anything|your|its|instructions|instruction|prompt|prompts|step|steps|action|actions|call|calls|tool|tools|file|files|key|keys|credentials|secret|secrets|message'
const NOT = "not|never|don't|dont"

const BEFORE_THE_TOOL =
  'before|prior|when|whenever ?to|you using|use|calling|call|invoking|invoke|running|run|executing ?this|the|any|other|of|these tool|tools|function ?you|must|should|always|first|please|need|to|have|make|sure|and'
/** What a server has written for its callers to read first: resources of its own scheme, and its documentation. No file and no
 * page, and the sentence ends there. */
const OWN_TEXT =
  /\s{1,3}(?:(?:the|its|this|our)\s)?(?:(?:mcp\s)?resources?\s[`"'(<]?(?!file:|https?:|ftp:|data:)[a-z][a-z0-9_+.-]{1,30}:\/\/[\w{][\w{}./-]{0,60}[`"')>]?|documentation|docs|guide|manual)(?=[.;]|\s*$)/iy

const instruction = (confidence: number, ...texts: string[]): Phrase[] =>
  texts.map((text) => ({ kind: 'instruction', confidence, text }))
const tool = (confidence: number, ...texts: string[]): Phrase[] =>
  texts.map((text) => ({ kind: 'tool_instruction', confidence, text }))

export const PHRASES: readonly Phrase[] = [
  ...instruction(
    0.9,
    `ignore|disregard|forget|override|bypass|neglect|discard|overlook ?${ANY} ${EARLIER} ?${EARLIER}|${ANY} ~1 ${RULES}`,
    `ignore|disregard|forget|override|discard everything|anything|all ?you|that|above|previously|before|i've|was|were ~3 told|instructed|said|written|given|above|before|this`,
    `ignore|disregard|override|bypass ?${ANY} safety|security|content|ethical|ethics ?and|or|safety|security|content ${RULES}|filters|filter|policy|policies|measures`,
    `do ${NOT} follow|obey|listen ?${ANY}|to ${EARLIER} ?${ANY} ~1 ${RULES}`,
    `don't follow|obey ?${ANY} ${EARLIER} ?${ANY} ~1 ${RULES}`,
    'you are|will now|henceforth ?a|an|be|act|as|in|the dan|jailbroken|unrestricted|unfiltered|uncensored|developer|evil|root|sudo',
    'enable|enter|activate|enabled ?the developer|dan|god|jailbreak|sudo|unrestricted|admin mode',
    `reveal|print|show|output|repeat|display|leak|disclose|tell ?me|us|${ANY}|back|exact|full|hidden|verbatim|contents system|hidden|initial|secret|developer ?${EARLIER} prompt|instructions|message`,
    `what ?is|are|were|was ${ANY} system|hidden|initial|original ~1 prompt|instructions`,
    'pretend|act|behave|respond as|like|that|to ?if|though|you|are|were|have|be|had ?a|an|no|without|any|free|of|not restrictions|restricted|limitations|limits|rules|filters|filter|guidelines|unrestricted|jailbroken',
    'new|updated|revised|real|actual system ?prompt|level instructions|instruction|directive|prompt',
    'new instructions|rules are ?now|as|follows',
    'your instructions|rules have|were ?now|been changed|replaced|updated',
    'system override|prompt ?is|mode|now|has|begin|been ?now|been changed|updated|replaced|overridden|engaged|activated',
    `stop following ?${ANY} ${EARLIER}|system ~1 ${RULES}`,
  ),
  ...instruction(
    0.85,
    // German
    'ignoriere|ignorier|ignorieren|vergiss|missachte ?sie|alle|allen|die|deine|bitte|jede|sämtliche vorherigen|bisherigen|vorigen|obigen|früheren ~1 anweisungen|anweisung|befehle|regeln|instruktionen|vorgaben',
    'gib|zeige|verrate|nenne ?mir|uns|den|die|deinen|deine|genauen systemprompt|systemanweisungen|systemanweisung',
    // French
    'ignore|ignorez|oublie|oubliez ?toutes|tous|les|tes|vos|ces|des|la|le instructions|consignes|règles|directives ?qui précédentes|précédents|antérieures|précèdent|initiales|ci',
    // Spanish
    'ignora|ignore|olvida|olvide ?todas|todos|las|los|tus|sus|estas|mis instrucciones|indicaciones|reglas|órdenes ?que|tus|del anteriores|previas|previos|sistema|iniciales',
    // Italian
    'ignora|ignorate|dimentica ?tutte|tutti|le|i|gli|tue|tuoi istruzioni|regole|comandi|indicazioni precedenti|iniziali',
    'ignora|ignorate|dimentica ?tutte|le precedenti istruzioni|regole|indicazioni',
    // Portuguese
    'ignore|ignora|desconsidere ?todas|todos|as|os|suas|tuas instruções|instrucoes|regras|ordens anteriores|prévias|iniciais',
    // Dutch
    'negeer|vergeet ?alle|al|de|je|uw|mijn vorige|eerdere|voorgaande|bovenstaande ~1 instructies|opdrachten|regels|aanwijzingen',
    // Polish, Swedish
    'zignoruj|ignoruj|zapomnij ?wszystkie|swoje|o|te|te poprzednie|wcześniejsze|powyższe ~1 instrukcje|polecenia|zasady',
    'ignorera|glöm ?alla|de|dina|samtliga tidigare|föregående|ovanstående ~1 instruktioner|instruktionerna|regler',
  ),
  ...tool(
    0.6,
    // What honest descriptions say too
    `do ${NOT} notify|alert|warn|show ?this|it|that|anything|about ?to|the user|users|human`,
    "don't|never|dont|without notify|notifying|alert|alerting ?this|it|that|anything|about ?to|the user|users|human",
    'always|must|first ?always|must|you|to call|use|invoke|run ?this|the tool|function first',
  ),
  ...tool(
    0.9,
    // What is kept from the user is what the model does. What a shop keeps from its customers is no instruction for a model
    ...[`do ${NOT}`, "don't|never|dont"].flatMap((never) => [
      `${never} tell|inform|mention|reveal|disclose ?about|of|any|the ${DEEDS} ~2 ?to|from|the user|users|human`,
      `${never} tell|inform|mention|reveal|disclose ?about|of|any this|it|these|anything|your ~2 ?to|from|the customer`,
      `${never} tell|inform ?to|the|any user|users|human|customer ?about|of|that|what|how|why|when ${DEEDS}|you`,
      `${never} tell|inform ?to|the|any user|users|human|customer $`,
    ]),
    'without tell|telling|inform|informing|mention|mentioning|reveal|revealing ?this|it|that|anything|about|any|of|these ~2 ?to|the user|users|human|customer',
    `don't|not|never let ?the user|users|human know|see|notice`,
    'keep ?this|it|that|the|these|a|hidden|secret ?hidden|secret from ?the user|users|human',
    `${BEFORE_THE_TOOL} send|include|collect|provide|pass|cat|upload`,
    'always|must|first ?always|must|first|you|to call|use|invoke|run ?this|the tool|function ?first before|instead|prior ?of|to any|other|all|every|using|calling|responding|answering ~2',
    'use|call|invoke ?this|the tool instead|rather of|than ?the|any|all|other ~2 tool|tools',
    'send|forward|post|upload|exfiltrate|email|transmit|leak ?all|the|your|any|its|full|entire|of|user|users|complete|a|copy conversation|chat|history|credentials|passwords|secrets|tokens|keys ?history|and|content|contents|of|transcript|api|keys to',
    'pass|include|put|place|provide|insert|append ?its|the|full|entire|all|of|their|content|contents|it|result|as|in|into|file|conversation|history|and|to as|in|into|to ?the|a|parameter|argument|field|value|of sidenote|metadata|notes|feedback|context ?parameter|field|argument|of this|the|parameter|argument|field',
    'otherwise|else ?the|this|it|tool|will|function tool|function|not ?will|not|wont|fail|work ?not ~1 work|break|deleted|fail',
    'tool supersedes|replaces|overrides|invalidates ?all|any|the|other|of|previous ~1 tool|tools|instructions',
    'user|human ?must|should|does|shall not|never|need be|know|see|learn ?to|be|know told|informed|about|this|aware|notified|shown|of|notice|why',
  ),
  ...tool(0.9, `${BEFORE_THE_TOOL} read|fetch|open|access|retrieve|check`).map((phrase) => ({
    ...phrase,
    unless: OWN_TEXT,
  })),
]

/** Phrases of scripts without spaces between words, and of scripts beyond ASCII: found as they stand. */
export const LITERALS: readonly { readonly text: string; readonly confidence: number }[] = [
  '忽略之前的指令',
  '忽略之前的所有指令',
  '忽略以上指令',
  '忽略上述指令',
  '忽略所有先前的指令',
  '忽略先前的指示',
  '无视之前的指令',
  '忘记之前的指令',
  '忽略之前的指示',
  '以前の指示を無視',
  'これまでの指示を無視',
  '前の指示を無視',
  '上記の指示を無視',
  '이전 지시를 무시',
  '이전의 모든 지시를 무시',
  '이전 명령을 무시',
  'игнорируй предыдущие инструкции',
  'игнорируй все предыдущие инструкции',
  'игнорируйте предыдущие инструкции',
  'игнорируйте все предыдущие инструкции',
  'забудь предыдущие инструкции',
  'забудь все предыдущие инструкции',
  'تجاهل التعليمات السابقة',
  'تجاهل جميع التعليمات السابقة',
  'पिछले निर्देशों को अनदेखा',
].map((text) => ({ text, confidence: 0.85 }))

/** Marks by which chat formats part who speaks, and by which poisoned descriptions address the model. */
export const MARKUP: readonly string[] = [
  '<|im_start|>',
  '<|im_end|>',
  '<|system|>',
  '<|endoftext|>',
  '<|start_header_id|>',
  '<|eot_id|>',
  '<<sys>>',
  '[inst]',
  '[/inst]',
  '[system]',
  '<important>',
  '<system>',
  '</system>',
  '<system-reminder>',
  '<system_prompt>',
  '</tool_result>',
  '</function_results>',
]
