import { useTranslation } from "react-i18next";

import { Select } from "@/components/Field";

import { useRerankers } from "./api";

/** What a re-ranker is called: those that come with Dragoman in the language of the interface. */
export function useRerankerName(): (name: string) => string {
  const { t } = useTranslation("search-lab");
  return (name) => t(`reranker.${name}`, { defaultValue: name });
}

interface Props {
  chatbotId: string;
  label: string;
  hint?: string;
  value: string;
  /** Says that nothing else is chosen than elsewhere. */
  same?: string;
  onChoose: (name: string) => void;
}

/** Chooses among the re-rankers that are set up. One that the chatbot has, and that is not, stays visible. */
export function RerankerSelect({ chatbotId, label, hint, value, same, onChoose }: Props) {
  const nameOf = useRerankerName();
  const { data = [] } = useRerankers(chatbotId);
  const names = [...new Set(["none", ...data, value])].filter(Boolean);
  return (
    <Select
      label={label}
      hint={hint}
      value={value}
      options={[
        ...(same === undefined ? [] : [{ value: "", label: same }]),
        ...names.map((name) => ({ value: name, label: nameOf(name) })),
      ]}
      onChange={({ target }) => onChoose(target.value)}
    />
  );
}
