import { ValidationError } from '../errors.js'
import { suggestion } from '../model/parse.js'

/** What the analyzer needs of a language. */
export interface Language {
  readonly stem: (word: string) => string
  readonly stopWords: ReadonlySet<string>
}

interface Source {
  readonly stemmer: () => Promise<{ readonly stemmer: (word: string) => string }>
  readonly stopWords: () => Promise<{ readonly stopwords: readonly string[] }>
}

/** The languages of the stemmer package that have stop words too. Each is loaded only when it is used. */
export const LANGUAGES = {
  arabic: { stemmer: () => import('@orama/stemmers/arabic'), stopWords: () => import('@orama/stopwords/arabic') },
  armenian: { stemmer: () => import('@orama/stemmers/armenian'), stopWords: () => import('@orama/stopwords/armenian') },
  bulgarian: {
    stemmer: () => import('@orama/stemmers/bulgarian'),
    stopWords: () => import('@orama/stopwords/bulgarian'),
  },
  danish: { stemmer: () => import('@orama/stemmers/danish'), stopWords: () => import('@orama/stopwords/danish') },
  dutch: { stemmer: () => import('@orama/stemmers/dutch'), stopWords: () => import('@orama/stopwords/dutch') },
  english: { stemmer: () => import('@orama/stemmers/english'), stopWords: () => import('@orama/stopwords/english') },
  finnish: { stemmer: () => import('@orama/stemmers/finnish'), stopWords: () => import('@orama/stopwords/finnish') },
  french: { stemmer: () => import('@orama/stemmers/french'), stopWords: () => import('@orama/stopwords/french') },
  german: { stemmer: () => import('@orama/stemmers/german'), stopWords: () => import('@orama/stopwords/german') },
  greek: { stemmer: () => import('@orama/stemmers/greek'), stopWords: () => import('@orama/stopwords/greek') },
  hungarian: {
    stemmer: () => import('@orama/stemmers/hungarian'),
    stopWords: () => import('@orama/stopwords/hungarian'),
  },
  indonesian: {
    stemmer: () => import('@orama/stemmers/indonesian'),
    stopWords: () => import('@orama/stopwords/indonesian'),
  },
  irish: { stemmer: () => import('@orama/stemmers/irish'), stopWords: () => import('@orama/stopwords/irish') },
  italian: { stemmer: () => import('@orama/stemmers/italian'), stopWords: () => import('@orama/stopwords/italian') },
  lithuanian: {
    stemmer: () => import('@orama/stemmers/lithuanian'),
    stopWords: () => import('@orama/stopwords/lithuanian'),
  },
  nepali: { stemmer: () => import('@orama/stemmers/nepali'), stopWords: () => import('@orama/stopwords/nepali') },
  norwegian: {
    stemmer: () => import('@orama/stemmers/norwegian'),
    stopWords: () => import('@orama/stopwords/norwegian'),
  },
  portuguese: {
    stemmer: () => import('@orama/stemmers/portuguese'),
    stopWords: () => import('@orama/stopwords/portuguese'),
  },
  romanian: { stemmer: () => import('@orama/stemmers/romanian'), stopWords: () => import('@orama/stopwords/romanian') },
  russian: { stemmer: () => import('@orama/stemmers/russian'), stopWords: () => import('@orama/stopwords/russian') },
  serbian: { stemmer: () => import('@orama/stemmers/serbian'), stopWords: () => import('@orama/stopwords/serbian') },
  spanish: { stemmer: () => import('@orama/stemmers/spanish'), stopWords: () => import('@orama/stopwords/spanish') },
  swedish: { stemmer: () => import('@orama/stemmers/swedish'), stopWords: () => import('@orama/stopwords/swedish') },
  tamil: { stemmer: () => import('@orama/stemmers/tamil'), stopWords: () => import('@orama/stopwords/tamil') },
  turkish: { stemmer: () => import('@orama/stemmers/turkish'), stopWords: () => import('@orama/stopwords/turkish') },
  ukrainian: {
    stemmer: () => import('@orama/stemmers/ukrainian'),
    stopWords: () => import('@orama/stopwords/ukrainian'),
  },
} satisfies Record<string, Source>

/** Refuses a language that is not known. */
export function checkLanguage(language: string | null | undefined): void {
  if (language != null && !Object.hasOwn(LANGUAGES, language))
    throw new ValidationError(
      'language',
      `is not known${suggestion(language, Object.keys(LANGUAGES))}; known are ${Object.keys(LANGUAGES).join(', ')}`,
    )
}

export async function loadLanguage(name: keyof typeof LANGUAGES): Promise<Language> {
  const source: Source = LANGUAGES[name]
  const [{ stemmer }, { stopwords }] = await Promise.all([source.stemmer(), source.stopWords()])
  return { stem: stemmer, stopWords: new Set(stopwords.map((word) => word.replace(/['’]/gu, "'").toLowerCase())) }
}
