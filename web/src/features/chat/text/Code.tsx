import { isValidElement, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { CopyButton } from "@/components/CopyButton";

import styles from "./Text.module.css";

/** A block of code with its language and a button that copies it. */
export function Code({ children }: { children?: ReactNode }) {
  const { t } = useTranslation("chat");
  const language = /language-([\w+#-]+)/.exec(classOf(children))?.[1] ?? "";
  return (
    <div className={styles["code"]} dir="ltr">
      <div className={styles["codeHead"]}>
        <span>{language}</span>
        <CopyButton text={textOf(children).replace(/\n$/, "")} label={t("answer.copyCode")} />
      </div>
      <pre tabIndex={0}>{children}</pre>
    </div>
  );
}

interface Held {
  className?: string;
  children?: ReactNode;
}

function classOf(node: ReactNode): string {
  return isValidElement<Held>(node) ? (node.props.className ?? "") : "";
}

function textOf(node: ReactNode): string {
  if (Array.isArray(node)) {
    return (node as ReactNode[]).map(textOf).join("");
  }
  if (isValidElement<Held>(node)) {
    return textOf(node.props.children);
  }
  return typeof node === "string" || typeof node === "number" ? String(node) : "";
}
